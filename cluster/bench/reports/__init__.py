"""What a benchmark found, as one JSON document and one HTML page."""
