"""How fast a model runs here, held against what its architecture implies and against a peer."""
