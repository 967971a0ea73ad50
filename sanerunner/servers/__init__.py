"""Live servers: an HTTP server in this process, in front of which a gate tells tests apart.

``process.ProcessServer`` is what others use. Nothing here knows of unittest.
"""
