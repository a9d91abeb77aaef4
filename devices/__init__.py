"""Registry of sites, stations, sockets and cameras; twin; commands; lockouts."""
