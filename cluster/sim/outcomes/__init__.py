"""What branches say, how long they are and how they are judged, without a model: taken from
recordings, and assumed where these say nothing."""
