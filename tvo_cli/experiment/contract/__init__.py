"""The contracts that an algorithm and an objective are held to: what must hold whatever their mathematics."""
