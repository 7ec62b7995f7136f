"""A lean HTTP/1.1 client: POST only, keep-alive, no proxies, no redirects, no cookies."""
