"""The image of a request: which URLs a client may name, and how they are opened."""

from __future__ import annotations

from hart_agent.concurrency import in_thread
from hart_agent.errors import ToolError
from hart_agent.serve.errors import RequestError
from hart_agent.serve.settings import ServeSettings
from hart_agent.vision.opening import local_path, open_image
from hart_agent.vision.source import SourceImage
from hart_agent.vision.urls import is_url


async def open_requested(url: str, settings: ServeSettings) -> SourceImage:
    """The image that a client names, or sends as a data URL.

    Raises:
        RequestError: it may not name this image.
        ImageError: the image can't be used.
    """
    return await in_thread(lambda: _open(url, settings))


def _open(url: str, settings: ServeSettings) -> SourceImage:
    if url[:5].lower() == "data:":
        return open_image(url, max_pixels=settings.max_pixels)
    if is_url(url):
        if not settings.allow_download:
            raise _refused(
                "this server downloads nothing; send the image as a data URL, or start it with --allow-download"
            )
        return open_image(url, allow_download=True, max_pixels=settings.max_pixels)
    if url[:7].lower() != "file://":
        raise _refused("an image is a data URL, a file:// URL (--root) or an http URL (--allow-download)")
    if settings.folders is None:
        raise _refused("this server reads no files; send the image as a data URL, or start it with --root FOLDER")
    path, page = local_path(url)
    try:
        found = settings.folders.find(str(path))
    except ToolError as error:
        raise _refused(str(error)) from error
    return SourceImage(found, max_pixels=settings.max_pixels, page=page)


def _refused(message: str) -> RequestError:
    return RequestError(400, message, code="invalid_image_url", param="messages")
