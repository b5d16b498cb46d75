"""The web page at `/`: plain files that a browser reads as they are, and the router for them."""

from motet.server.page_routes import page_router

__all__ = ["page_router"]
