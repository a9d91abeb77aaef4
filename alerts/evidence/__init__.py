"""What happened, frozen: frames, rules, stills and photos as files, and all of it as one pack."""
