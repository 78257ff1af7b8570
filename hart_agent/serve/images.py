"""The image of a request: which URLs a client may name, and how they are opened."""

from __future__ import annotations

from hart_agent.concurrency import in_thread
from hart_agent.errors import ToolError
from hart_agent.serve.errors import RequestError
from hart_agent.serve.settings import ServeSettings
from hart_agent.vision.cache import ImageCache
from hart_agent.vision.opening import local_path, open_image
from hart_agent.vision.source import SourceImage
from hart_agent.vision.urls import is_url


class RequestedImages:
    """Opens the images of requests. Those that ask about the same file or http URL at once share it.

    Args:
        settings: which URLs a client may name.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        # Nothing is kept that no request uses: what a URL leads to may be another image by then.
        self._shared = ImageCache(
            max_bytes=0, max_pixels=settings.max_image_pixels, allow_download=settings.allow_download
        )

    async def open(self, url: str) -> SourceImage:
        """The image that a client names, or sends as a data URL.

        Raises:
            RequestError: it may not name this image.
            ImageError: the image can't be used.
        """
        if url[:5].lower() == "data:":
            return await in_thread(lambda: open_image(url, max_pixels=self._settings.max_image_pixels))
        if is_url(url):
            if not self._settings.allow_download:
                raise _refused(
                    "this server downloads nothing; send the image as a data URL, or start it with --allow-download"
                )
            return await self._shared.open(url)
        return await self._shared.open(await in_thread(lambda: self._file(url)))

    def _file(self, url: str) -> str:
        """The path that a file URL names, with its page, if it is in one of the folders."""
        if url[:7].lower() != "file://":
            raise _refused("an image is a data URL, a file:// URL (--root) or an http URL (--allow-download)")
        folders = self._settings.folders
        if folders is None:
            raise _refused("this server reads no files; send the image as a data URL, or start it with --root FOLDER")
        path, page = local_path(url)
        try:
            found = folders.find(str(path))
        except ToolError as error:
            raise _refused(str(error)) from error
        return str(found) if page is None else f"{found}#page={page}"


def _refused(message: str) -> RequestError:
    return RequestError(400, message, code="invalid_image_url", param="messages")
