"""What tests send requests to the live server with; the packages they need are extras."""
