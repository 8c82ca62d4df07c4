class Proxies:
    name = "proxies"
