"""What a site's day or month was like: collected from SQL, shown as page, CSV, PDF and JSON."""
