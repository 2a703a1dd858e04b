"""What step 10 is made of: staging keys, planted events, the crawl, funnels, identity, sessions, quality."""
