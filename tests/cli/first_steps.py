"""First steps that go wrong: what is written, what is said to be wrong, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from image_files import png_header
from PIL import Image


def lay_out(folder: Path) -> None:
    """What the steps find in their folder: images, files that are none, and files of questions."""
    white = Image.new("RGB", (64, 48), "white")
    files = {
        "text.jpg": b"this is text", "empty.jpg": b"", "notes.txt": b"notes", "huge.png": png_header(60_000, 60_000),
        "film.mp4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2mp41" + bytes(99), "scan.pdf": b"%PDF-1.4\n", "raw.cr2":
        b"II*\0\x10\0\0\0CR\2\0" + bytes(99), "page.jpg": b"<!DOCTYPE html><html>not found</html>",
        "lfs.jpg": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "drawing.svg": b"<svg/>",
        "photos.zip": b"PK\x03\x04" + bytes(99), "art.psd": b"8BPS" + bytes(99),
        "questions.jsonl": b'{"image": "photo.png", "question": "what?"}\n', "broken.jsonl": b'{"image": \n',
        "other.jsonl": b'{"picture": "photo.png"}\n',
    }  # fmt: skip
    for name, data in files.items():
        (folder / name).write_bytes(data)
    for name in ("photo.png", "my photo.png", "-dash.png", "folder/a.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        white.save(folder / name)
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "shy.py").write_text(
        "from hart_agent import ScriptedPolicy\n"
        "class Shy(ScriptedPolicy):\n"
        "    accepts = frozenset()\n"
        "    def __init__(self):\n"
        "        super().__init__(['<answer>a fence</answer>'])\n"
    )


class Step(NamedTuple):
    """A wrong step: its arguments, the exit code, what is said to be wrong, and what to do next."""

    arguments: str
    wrong: str
    next: str
    code: int = 2


ASK = "ask photo.png what?"
WRONG = [
    # names and arguments
    Step("nonsense", "No such command 'nonsense'", "hart-agent --help"),
    Step("aks photo.png what?", "No such command 'aks'", "Did you mean 'ask'"),
    Step("--verison", "No such option: --verison", "--version"),
    Step("ask", "Missing argument 'image'", "hart-agent ask --help"),
    Step("ask photo.png", "Missing argument 'question'", "hart-agent ask --help"),
    Step("ask photo.png what is this", "unexpected extra argument", "hart-agent ask --help"),
    Step(f"{ASK} --bakend openai", "No such option: --bakend", "--backend"),
    Step("controls photo.png", "Missing argument 'question'", "hart-agent controls --help"),
    Step("batch", "Missing argument 'IN'", "hart-agent batch --help"),
    Step("mcp", "Missing option '--root'", "hart-agent mcp --help"),
    Step("tools run", "Missing argument 'name'", "hart-agent tools run --help"),
    Step("config get model", "No such command 'get'", "Did you mean 'set'"),
    Step("config set model", "Missing argument 'value'", "hart-agent config set --help"),
    Step("config set colour red", "there is no setting 'colour'", "choose one of: backend"),
    Step("config set max_images many", "max_images is a number", "got 'many'"),
    # the command left out, or another word for it
    Step("photo.png 'what is it?'", "No such command 'photo.png'", "hart-agent ask photo.png 'what is it?'"),
    Step("'what is it?' photo.png", "No such command 'what is it?'", "hart-agent ask photo.png 'what is it?'"),
    Step("http://example.org/a.jpg what?", "No such command", "http://example.org/a.jpg 'what?' --allow-download"),
    Step("help", "No such command 'help'", "hart-agent --help"),
    Step("version", "No such command 'version'", "Write: hart-agent --version"),
    Step("-V", "No such option: -V", "Write: hart-agent --version"),
    Step("train", "No such command 'train'", "python -m rl.train_ap_grpo --help"),
    Step("tools zoom", "No such command 'zoom'", "Choose one of: run"),
    Step("config edit", "No such command 'edit'", "Choose one of: path, set, show"),
    Step("config set model=m", "Missing argument 'value'", "Expected: hart-agent config set NAME VALUE"),
    Step("config set base-url ollama", "'ollama' is not a URL", "http://localhost:8000/v1"),
    Step("config set base-url localhost:11434", "'localhost:11434' is not a URL", "http://localhost:8000/v1"),
    Step("config set backend ollama", "there is no backend 'ollama'", "--base-url http://127.0.0.1:11434/v1"),
    # words in another order, without quotes, or too many
    Step("ask 'what is it?' photo.png", "no such file", "comes first: hart-agent ask photo.png 'what is it?'"),
    Step("ask photo.png what is it?", "unexpected extra argument", "in quotes: hart-agent ask photo.png 'what is it?'"),
    Step("ask photo.png folder/a.png what?", "unexpected extra argument", 'For several images: hart-agent batch "'),
    Step("ask my photo.png what?", "unexpected extra argument", "Expected: hart-agent ask IMAGE QUESTION"),
    Step("ask *.png what?", "*.png: no such file", "hart-agent batch '*.png' out.jsonl --question"),
    Step("batch photo.png folder/a.png o.jsonl", "unexpected extra argument", "Put a pattern in quotes"),
    Step("batch folder o.jsonl --question what?", "folder: there is nothing to ask", "'folder/*.jpg'"),
    Step(f"{ASK} \u2014json", "unexpected extra argument", "Options begin with two hyphens: --json"),
    Step(f"{ASK} -json", "No such option: -j", "Write two hyphens: --json"),
    Step(f"{ASK} --modle m", "No such option: --modle", "--model"),
    Step(f"{ASK} --ollama", "No such option: --ollama", "--base-url http://127.0.0.1:11434/v1"),
    Step(f"{ASK} --model", "'--model' requires an argument", "hart-agent ask --help"),
    Step(f"{ASK} --model ''", "--model is empty", "leave it out"),
    Step(f"{ASK} --base-url ''", "--base-url is empty", "leave it out"),
    Step(f"{ASK} --backend openai", "OpenAI's own API needs a key", "set HART_AGENT_API_KEY"),
    # names of images
    Step("ask '' what?", "no image is named", "Give the path of one image file"),
    Step("ask phto.png what?", "phto.png: no such file", "Did you mean photo.png?"),
    Step("ask PHOTO.JPG what?", "PHOTO.JPG: no such file", "Did you mean photo.png?"),
    Step("ask other/photo.png what?", "other/photo.png: no such file", "It was looked for in "),
    Step("ask '\"photo.png\"' what?", "no such file", "Write: photo.png"),
    Step("ask 'my\\ photo.png' what?", "no such file", "Write: 'my photo.png'"),
    Step("ask -dash.png what?", "No such option: -d", "begins with a dash as ./-dash.png"),
    Step("ask www.example.org/a.jpg what?", "no such file", "https://www.example.org/a.jpg --allow-download"),
    Step("ask ftp://me:x@example.org/a.jpg what?", "ftp://example.org/a.jpg: nothing is fetched over", "Download it"),
    Step(f"ask {'x' * 300}.png what?", "no name is so long", "Check the path"),
    Step("ask photo.png/a.png what?", "no such file", "Check the path"),
    Step("ask loop.png what?", "a link that leads back to itself", "Give the path of the image"),
    Step("ask gone.png what?", "a link to nowhere.png, which is not there", "Give the path of the image"),
    Step("ask /dev/null what?", "is a pipe or a device", "Give the path of one image file"),
    # files that are no images
    Step("ask notes.txt what?", "notes.txt is not an image that can be read", "Convert it to JPEG or PNG"),
    Step("ask film.mp4 what?", "but a video", "ffmpeg -i VIDEO -frames:v 1 frame.png"),
    Step("ask scan.pdf what?", "but PDF", "pdftoppm -r 200 -png FILE.pdf page"),
    Step("ask raw.cr2 what?", "a camera's raw file", "Export it as JPEG"),
    Step("ask page.jpg what?", "but a web page", "Save the image itself"),
    Step("ask lfs.jpg what?", "a pointer of Git LFS", "git lfs pull"),
    Step("ask drawing.svg what?", "but SVG", "Convert it to PNG"),
    Step("ask photos.zip what?", "an archive or a document", "Unpack it"),
    Step("ask art.psd what?", "a file of Photoshop", "Export it as PNG"),
    Step("ask huge.png what?", "megapixels", "--max-image-megapixels"),
    # images
    Step("ask nothing.jpg what?", "nothing.jpg: no such file", "Check the path"),
    Step("ask text.jpg what?", "text.jpg is not an image", "Convert it to JPEG or PNG"),
    Step("ask empty.jpg what?", "empty.jpg: not an image that can be read, but an empty file", "Get it again"),
    Step("ask folder what?", "folder is a folder", "Give the path of one image file"),
    Step("ask ~/nothing.jpg what?", "nothing.jpg: no such file", "Check the path"),
    Step("ask http://example.org/a.jpg what?", "downloads are not allowed", "--allow-download"),
    Step("ask https://example.org/a.jpg what?", "https://example.org/a.jpg is a URL", "--allow-download"),
    Step("ask file:///nothing.jpg what?", "no such file", "Check the path"),
    Step("ask file://elsewhere/a.jpg what?", "on another machine (elsewhere)", "Give a file of this one"),
    Step("ask data:image/png;base64,xx what?", "base64 is damaged", "Encode the file again"),
    Step("ask data:image/png what?", "without its comma", "expected data:image/png;base64,..."),
    Step(f"{ASK} --page 9", "there is no such page", "expected 1 to 1"),
    Step(f"{ASK} --page 0", "Invalid value for '--page'", "hart-agent ask --help"),
    Step("ask photo.png ''", "the question is empty", "ask something about the image"),
    # options
    Step(f"{ASK} --mode fast", "there is no mode 'fast'", "choose one of: agent, closed-loop"),
    Step(f"{ASK} --tool hammer", "there is no tool 'hammer'", "choose one of: colour"),
    Step(f"{ASK} --tool hammer.py:hammer", "there is no file 'hammer.py'", "expected path.py:name"),
    Step(f"{ASK} --coordinates inches", "there are no coordinates 'inches'", "pixel | thousand | unit"),
    Step(f"{ASK} --max-turns 0", "Invalid value for '--max-turns'", "hart-agent ask --help"),
    Step(f"{ASK} --max-turns many", "Invalid value for '--max-turns'", "hart-agent ask --help"),
    Step(f"{ASK} --on-unsupported x", "Invalid value for '--on-unsupported'", "'keep', 'retry', 'abstain'"),
    Step(f"{ASK} --on-unsupported abstain --no-verify", "needs verify=True", "leave out --no-verify"),
    Step(f"{ASK} --trace no/t.json", "there is no folder", "Make it first"),
    Step(f"{ASK} --trace folder", "it is a folder", "Give the path of a file"),
    Step(f"{ASK} --html photo.png", "would overwrite 'photo.png'", "Choose another file"),
    Step(f"{ASK} --annotate out.xyz", "no ending of an image format", "such as .png or .jpg"),
    # backends and servers by the wrong name
    Step(f"{ASK} --backend ollama", "Ollama is asked through OpenAI's API", "--base-url http://127.0.0.1:11434/v1"),
    Step(f"{ASK} --backend LM-Studio", "LM Studio is asked through", "--base-url http://127.0.0.1:1234/v1"),
    Step(f"{ASK} --backend llama.cpp", "llama.cpp is asked through", "--base-url http://127.0.0.1:8080/v1"),
    Step(f"{ASK} --backend sglang", "SGLang is asked through", "--base-url http://127.0.0.1:30000/v1"),
    Step(f"{ASK} --backend hf", "there is no backend 'hf'", "--backend transformers"),
    Step(f"{ASK} --backend chatgpt", "there is no backend 'chatgpt'", "HART_AGENT_API_KEY"),
    Step(f"{ASK} --backend http://localhost:8000/v1", "a URL is given as", "--base-url http://localhost:8000/v1"),
    Step(f"{ASK} --backend nonsense", "there is no backend 'nonsense'", "choose one of: embedded, openai"),
    Step("doctor --backend ollama", "Ollama is asked through", "--base-url http://127.0.0.1:11434/v1"),
    Step(f"{ASK} --model qwen2.5vl:7b", "names a model, but no server", "hart-agent doctor"),
    Step(f"{ASK} --backend transformers", "needs --model", "give it, too"),
    Step(f"{ASK} --base-url localhost:8000", "'localhost:8000' is not a URL", "http://localhost:8000/v1"),
    Step("doctor --base-url localhost:8000", "'localhost:8000' is not a URL", "http://localhost:8000/v1"),
    # many questions
    Step("batch nothing.jsonl out.jsonl", "nothing.jsonl can't be read", "Check the path"),
    Step("batch *.jpg out.jsonl", "*.jpg is not a questions file", "--question"),
    Step("batch nothing*.jpg out.jsonl --question what?", "no file fits the pattern", "Check it"),
    Step("batch notes.txt out.jsonl", "notes.txt is not a questions file", ".jsonl"),
    Step("batch broken.jsonl out.jsonl", "broken.jsonl, line 1", "JSON"),
    Step("batch other.jsonl out.jsonl", "other.jsonl, line 1", "image"),
    Step("batch questions.jsonl no/out.jsonl", "there is no folder", "Make it first"),
    Step("batch questions.jsonl questions.jsonl", "would overwrite", "Choose another file"),
    Step("batch questions.jsonl out.jsonl --workers 2", "are of a cluster", "--on ray"),
    # traces, benchmarks, tools
    Step("view nothing.json", "there is no trace 'nothing.json'", "--trace FILE.json"),
    Step("replay notes.txt", "can't be read as JSON", "--trace FILE.json"),
    Step("eval", "name a benchmark", "hart-agent eval vstar DATA --out RUN"),
    Step("eval nonsense data --out run", "there is no benchmark 'nonsense'", "choose one of"),
    Step("eval jsonl --out run", "jsonl needs files", "hart-agent eval jsonl FILE --out RUN"),
    Step("eval vstar --out run", "where are the files of vstar", "--allow-download"),
    Step("eval --compare a b", "a holds no run", "give the folder of its --out"),
    Step("tools run hammer photo.png", "there is no tool 'hammer'", "choose one of"),
    Step("tools run zoom photo.png {", "the arguments are not JSON", "expected such as"),
    Step("tools run zoom photo.png []", "a JSON list", "expected an object"),
    Step("mcp --root nothing", "'nothing' is not a folder", "give one that holds images"),
]
