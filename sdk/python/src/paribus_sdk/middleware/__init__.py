"""Middleware for web frameworks: the request's unit for each decision, and how the request went, with its variants.

A unit is named by `"header:X-User-Id"`, by `"cookie:uid"`, or by a function of the framework's request.
"""
