"""Reading and writing pictures: video files, folders of images, cameras, streams."""
