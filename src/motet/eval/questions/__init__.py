"""Questions with known answers: asked many at a time, judged, and counted."""
