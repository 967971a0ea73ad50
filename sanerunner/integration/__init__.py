"""The integration server: a site on populated test databases, put back between specs."""
