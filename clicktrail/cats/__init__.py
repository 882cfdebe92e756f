"""Cat photo analytics: photos from The Cat API, simulated views and likes, counted per photo and per breed."""
