"""Cameras: V4L2, MJPEG over HTTP, RTSP and video files."""
