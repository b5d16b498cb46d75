"""The terminal: a voice per channel, a score of them all, a composer that is never locked."""
