"""avtool: sound and pictures of talking people, from the command line or from Python.

Each command is a function of the same name and gives its pipeline's Result, which a notebook shows
as the picture that the command writes. ``open`` opens a file as all commands do.
``help(avtool.mel)`` tells a function's options, what comes back and what is raised.

>>> import avtool
>>> avtool.mel("sample_media/speech.wav", preset="whisper").mel.values.shape[0]
80
>>> avtool.open("sample_media/speech.wav").info.audio[0].channels
1
"""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # On demand: `import avtool` costs nothing, and each command pays for what it uses.
    from avtool.pipelines import commands

    if name == "__all__":
        return [*commands(), "open"]
    if name in commands():
        from avtool.api import command

        found: object = command(name)
    elif name == "open":
        from avtool.media import open as found
    else:
        raise AttributeError(f"module 'avtool' has no attribute '{name}'")
    return globals().setdefault(name, found)


def __dir__() -> list[str]:
    from avtool.pipelines import commands

    hidden = [name for name in globals() if name.startswith("__")]
    return sorted([*commands(), "open", "__all__", *hidden])
