"""Problems with verifiable answers: two embedded tasks, MATH, AIME24, GSM8K, any JSONL or hub data set."""
