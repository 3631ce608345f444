"""The fixed work that is timed, and our side of it; what peers import here knows neither tvo_cli nor pydantic."""
