"""Live servers: what all of them must do, on every database."""
