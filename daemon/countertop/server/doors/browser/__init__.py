"""The browser door: the same services over Connect and gRPC-Web, camera pictures, and the web console."""
