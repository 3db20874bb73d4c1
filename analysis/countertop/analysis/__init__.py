"""Who is before a camera, and whether they are alive: the analyser of faces that comes with Countertop.

Nothing here imports cv2 or numpy until a check begins.
"""
