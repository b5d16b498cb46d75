"""One process that serves a model: live sockets, the OpenAI API, the page."""
