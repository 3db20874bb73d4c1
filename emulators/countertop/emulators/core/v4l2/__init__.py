"""A V4L2 camera in user space: `/dev/videoN` for programs that run under umockdev's preload library."""
