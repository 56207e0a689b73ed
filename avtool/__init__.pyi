"""Types of avtool's functions; written by ``python tests/stubs.py --write``."""

from os import PathLike
from typing import Literal

from avtool.media import open as open
from avtool.pipelines.ask.pipeline import Result as AskResult
from avtool.pipelines.caption.pipeline import Result as CaptionResult
from avtool.pipelines.faces.pipeline import Result as FacesResult
from avtool.pipelines.features.mel import Result as MelResult
from avtool.pipelines.features.mfcc import Result as MfccResult
from avtool.pipelines.features.spectrogram import Result as SpectrogramResult
from avtool.pipelines.features.waveform import Result as WaveformResult
from avtool.pipelines.lips.pipeline import Result as LipsResult
from avtool.pipelines.localize.pipeline import Result as LocalizeResult
from avtool.pipelines.refocus.pipeline import Result as RefocusResult
from avtool.pipelines.search.tag import Result as TagResult
from avtool.pipelines.separate.pipeline import Result as SeparateResult
from avtool.pipelines.sounds.pipeline import Result as SoundsResult
from avtool.pipelines.speech2face.pipeline import Result as Speech2faceResult
from avtool.values import Array

__version__: str
__all__ = [
    "ask",
    "caption",
    "faces",
    "lips",
    "localize",
    "mel",
    "mfcc",
    "open",
    "refocus",
    "separate",
    "sounds",
    "spectrogram",
    "speech2face",
    "tag",
    "waveform",
]

def ask(
    source: str | PathLike[str],
    /,
    *,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    device: str = "auto",
    question: str = "",
    threshold: float = 0.5,
    weights: str | None = None,
) -> AskResult:
    """A question about a picture or a film, answered, and by what.

    Args:
        source: a video file.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        device: where networks run: auto, cpu, cuda or mps.
        question: in English, about people, voices and sounds, or about drawn shapes.
        threshold: how likely an answer of the network is that is told, 0 to 1.
        weights: a network of a user's own.

    Returns:
        A Result with reply.
        The answer, with how sure it is, and where it comes from.

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def caption(
    source: str | PathLike[str],
    /,
    *,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    device: str = "auto",
    beam: int = 4,
    best: int = 3,
    length: int = 21,
    decoder: str = "attend",
    weights: str | None = None,
) -> CaptionResult:
    """A sentence that says what is seen on a picture, or in each shot of a film.

    Args:
        source: a photo, or a video file.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        device: where networks run: auto, cpu, cuda or mps.
        beam: how many beginnings of sentences are followed at a time.
        best: how many sentences are told.
        length: words that a sentence has at most.
        decoder: "attend" (Show, Attend and Tell), "tell" (Show and Tell), or "both", the mean of
            their probabilities.
        weights: a checkpoint of the user's own.

    Returns:
        A Result with captions.
        The sentences.

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def faces(
    source: str | PathLike[str],
    /,
    *,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    device: str = "auto",
) -> FacesResult:
    """Who is in a video, when, and when they speak.

    Args:
        source: a video file.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        device: where networks run: auto, cpu, cuda or mps.

    Returns:
        A Result with faces.
        The faces.

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def mel(
    source: str | PathLike[str] | Array,
    /,
    *,
    rate: int | None = None,
    preset: str | None = None,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    sr: int | None = None,
    n_fft: int | None = None,
    win: int | float = 0.025,
    hop: int | float = 0.01,
    window: str = "hann",
    center: bool = True,
    power: float = 2.0,
    pad: Literal["constant", "reflect"] = "constant",
    span: Literal["n_fft", "win"] = "n_fft",
    preemphasis: float = 0.0,
    frame_dc: bool = False,
    frame_preemphasis: float = 0.0,
    scale: float = 1.0,
    drop_last: bool = False,
    n_mels: int = 80,
    fmin: float = 0.0,
    fmax: float | None = None,
    mel_scale: Literal["slaney", "htk"] = "slaney",
    mel_norm: Literal["slaney"] | None = "slaney",
    mel_straight: Literal["hz", "mel"] = "hz",
    log: Literal["db", "ln", "log10", "none"] = "db",
    log_floor: float = 1e-10,
    log_offset: float = 0.0,
    top: float | None = 80.0,
    out_scale: float = 1.0,
    out_shift: float = 0.0,
    clip: tuple[float, float] | None = None,
) -> MelResult:
    """The log-mel spectrogram of a sound.

    Stevens, Volkmann & Newman (1937) for the scale; the filters are those of the preset's tool.

    Args:
        source: a file; or samples [time] or [channels, time], float or int16.
        rate: of samples, in Hz; a file knows its own.
        preset: whose numbers to give: librosa, torchaudio, kaldi, whisper, wav2lip, yamnet.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        sr: rate in Hz to resample to; None keeps the file's own.
        n_fft: None is the next power of two from the window's length.
        power: exponent of |X|: 1 magnitude, 2 power; 0 keeps X, complex.
        scale: multiplies the samples first (Kaldi counts in 16-bit steps).
        drop_last: leave out the last frame (Whisper).
        See ``signal.stft.STFT`` for the others.
        See ``signal.mel.MelBank`` and ``signal.mel.Log``. ``fmin`` and ``fmax`` are in Hz; ``fmax``
        None is half the rate.

    Returns:
        A Result with mel.
        [n_mels, frames].

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def mfcc(
    source: str | PathLike[str] | Array,
    /,
    *,
    rate: int | None = None,
    preset: str | None = None,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    sr: int | None = None,
    n_fft: int | None = None,
    win: int | float = 0.025,
    hop: int | float = 0.01,
    window: str = "hann",
    center: bool = True,
    power: float = 2.0,
    pad: Literal["constant", "reflect"] = "constant",
    span: Literal["n_fft", "win"] = "n_fft",
    preemphasis: float = 0.0,
    frame_dc: bool = False,
    frame_preemphasis: float = 0.0,
    scale: float = 1.0,
    drop_last: bool = False,
    n_mels: int = 80,
    fmin: float = 0.0,
    fmax: float | None = None,
    mel_scale: Literal["slaney", "htk"] = "slaney",
    mel_norm: Literal["slaney"] | None = "slaney",
    mel_straight: Literal["hz", "mel"] = "hz",
    log: Literal["db", "ln", "log10", "none"] = "db",
    log_floor: float = 1e-10,
    log_offset: float = 0.0,
    top: float | None = 80.0,
    out_scale: float = 1.0,
    out_shift: float = 0.0,
    clip: tuple[float, float] | None = None,
    n_mfcc: int = 13,
    lifter: float = 0.0,
    lifter_from: int = 1,
    deltas: int = 0,
    delta_kind: Literal["librosa", "kaldi"] = "librosa",
    energy: bool = False,
) -> MfccResult:
    """Mel-frequency cepstral coefficients and their deltas.

    Davis & Mermelstein (1980); deltas after Furui (1986).

    Args:
        source: a file; or samples [time] or [channels, time], float or int16.
        rate: of samples, in Hz; a file knows its own.
        preset: whose numbers to give: librosa, torchaudio, kaldi, whisper, wav2lip, yamnet.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        sr: rate in Hz to resample to; None keeps the file's own.
        n_fft: None is the next power of two from the window's length.
        power: exponent of |X|: 1 magnitude, 2 power; 0 keeps X, complex.
        scale: multiplies the samples first (Kaldi counts in 16-bit steps).
        drop_last: leave out the last frame (Whisper).
        See ``signal.stft.STFT`` for the others.
        See ``signal.mel.MelBank`` and ``signal.mel.Log``. ``fmin`` and ``fmax`` are in Hz; ``fmax``
        None is half the rate.
        deltas: 0, 1 (velocity) or 2 (and acceleration), appended below the coefficients.
        energy: the first coefficient is the frame's log energy (Kaldi).

    Returns:
        A Result with mfcc.
        [n_mfcc * (1 + deltas), frames].

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def spectrogram(
    source: str | PathLike[str] | Array,
    /,
    *,
    rate: int | None = None,
    preset: str | None = None,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    sr: int | None = None,
    n_fft: int | None = None,
    win: int | float = 0.025,
    hop: int | float = 0.01,
    window: str = "hann",
    center: bool = True,
    power: float = 2.0,
    pad: Literal["constant", "reflect"] = "constant",
    span: Literal["n_fft", "win"] = "n_fft",
    preemphasis: float = 0.0,
    frame_dc: bool = False,
    frame_preemphasis: float = 0.0,
    scale: float = 1.0,
    drop_last: bool = False,
) -> SpectrogramResult:
    """The short-time Fourier transform of a sound.

    Allen & Rabiner, "A unified approach to short-time Fourier analysis and synthesis" (1977).

    Args:
        source: a file; or samples [time] or [channels, time], float or int16.
        rate: of samples, in Hz; a file knows its own.
        preset: whose numbers to give: librosa, torchaudio, kaldi, whisper, wav2lip, yamnet.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        sr: rate in Hz to resample to; None keeps the file's own.
        n_fft: None is the next power of two from the window's length.
        power: exponent of |X|: 1 magnitude, 2 power; 0 keeps X, complex.
        scale: multiplies the samples first (Kaldi counts in 16-bit steps).
        drop_last: leave out the last frame (Whisper).
        See ``signal.stft.STFT`` for the others.

    Returns:
        A Result with spectrogram.
        [n_fft//2 + 1 frequencies, frames].

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def waveform(
    source: str | PathLike[str] | Array,
    /,
    *,
    rate: int | None = None,
    preset: str | None = None,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    sr: int | None = None,
) -> WaveformResult:
    """The samples themselves, at any rate, and their picture over time.

    Args:
        source: a file; or samples [time] or [channels, time], float or int16.
        rate: of samples, in Hz; a file knows its own.
        preset: whose numbers to give: librosa, torchaudio, kaldi, whisper, wav2lip, yamnet.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        sr: rate in Hz to resample to; None keeps the file's own.

    Returns:
        A Result with waveform.
        [channels, time], in [-1, 1].

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def lips(
    source: str | PathLike[str] | Array | None,
    speech: str | PathLike[str] | Array,
    /,
    *,
    rate: int | None = None,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    device: str = "auto",
    face: int | None = None,
    length: Literal["speech", "video"] = "speech",
    still: bool = False,
    weights: str | None = None,
    fps: int | None = None,
    energy: float = 1.0,
) -> LipsResult:
    """A face whose mouth says another sound.

    A network tells what a mouth does while it says the sound (``lips.model``), as motion of a
    mesh without face, head or camera. That motion is laid on the face's own closed mouth, turned as the
    head is, and the picture is warped there and nowhere else (``warp.Painter``): the task of Chen et
    al., "Lip Movements Generation at a Glance" (2018), done with the source's own pixels, as Bregler
    et al. did in "Video Rewrite" (1997).

    Args:
        source: a photo or a video; or a photo as uint8 [height, width, 3]; None is the drawn head.
        speech: a file; or samples [time] or [channels, time], float or int16.
        rate: of samples, in Hz; a file knows its own.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        device: where networks run: auto, cpu, cuda or mps.
        face: which face of a photo or a video, counted from 1 from the left; None is the largest.
        length: whose length the video has.
        still: a photo keeps head and eyes still.
        fps: pictures a second, 25, 30, 50 or 60; None is a video's own rate, else 25.
        energy: how wide the mouth moves, 0.5 to 1.5 of what is usual.
        weights: a checkpoint of the user's own.

    Returns:
        A Result with lips, audio, motion, first, box, passed, changed, fps.
        Pictures and the sound under them, as long as each other; the motion as face units.
            first: the source's first picture, uint8 [height, width, 3].
            box: of the face in a picture, x0, y0, x1, y1 in pixels, by the picture's number.
            passed: seconds, from and to, in which a film's face could not be painted; it fills while
                the pictures are read.
            changed: each painted picture's number, and how far its lips were moved from where the
                source has them, mean over their points, eyes' distance 1; it fills likewise.
            fps: of the curves.

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def localize(
    source: str | PathLike[str],
    /,
    *,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    device: str = "auto",
    every: float = 0.2,
    threshold: float = 0.5,
    explain: bool = False,
    weights: str | None = None,
) -> LocalizeResult:
    """Where in the picture a sound comes from, and whether it is there at all.

    Three cues are held against each other (see ``cues``). A place is either a cell of the
    picture, whose motion agrees with the sound, or a face, whose lips do; beside them stands "nowhere".
    One softmax over all of them (``fusion``) gives the map and how likely the source is
    visible at all. The question is that of Senocak et al., "Learning to localize sound source in visual
    scenes" (2018); a network of theirs that the user has trained is a fourth cue: what looks like the
    sound.

    Args:
        source: a video file.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        device: where networks run: auto, cpu, cuda or mps.
        every: seconds from one look to the next.
        threshold: what part of the peak's heat still belongs to the source.
        explain: keep what each cue says alone.
        weights: an attention network of the user's own, which is a cue then.

    Returns:
        A Result with sources.
        Where the sound comes from.

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def refocus(
    source: str | PathLike[str],
    /,
    *,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    device: str = "auto",
    face: int | None = None,
    speaker: bool = False,
    blur: float = 1.4,
    exact: bool = False,
    depth: str | None = None,
    right: str | None = None,
) -> RefocusResult:
    """One face sharp, everything else out of focus by its depth.

    People are found by their faces and by a mask, how near they are by the size of their faces, and
    the picture is laid together again as a thin lens with a wide opening would show it.

    Args:
        source: a photo, or a video file.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        device: where networks run: auto, cpu, cuda or mps.
        face: the face in focus, counted from 1; None is the largest.
        speaker: the focus goes to who speaks.
        blur: the opening, as the f-number of a 50 mm lens: 0.7 (much blur) to 22 (hardly any).
        exact: a face as far away as the one in focus is as sharp.
        depth: a photo or a film that is brighter where the picture is nearer, or a .npy of metres.
        right: the right picture, or film, of a stereo pair.

    Returns:
        A Result with refocus, audio, focus, tracks, shots, count, stop.
        Pictures in which one face is sharp, and the sound under them, or None.
            focus: who is sharp when; tracks: all faces.
            shots: the same pictures with what was found in them; count: how many, about; stop: the
                lens's f-number.

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def tag(
    source: str | PathLike[str],
    /,
    *,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    device: str = "auto",
    threshold: float = 0.5,
    top: int = 10,
    weights: str | None = None,
) -> TagResult:
    """Words for what is seen on a picture, or in a film.

    Args:
        source: a photo, or a video file.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        device: where networks run: auto, cpu, cuda or mps.
        threshold: probability from which on a word is told.
        top: how many words are told at most.
        weights: a joint embedding of the user's own.

    Returns:
        A Result with tags.
        The words.

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def separate(
    source: str | PathLike[str],
    /,
    *,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    device: str = "auto",
    face: int | None = None,
    voices: int | None = None,
    weights: str | None = None,
    blind: bool = False,
) -> SeparateResult:
    """The voice of one face, out of all that is heard.

    Sound is separated, vision says whose voice it is: a network counts the voices of each window of
    the sound and splits it into as many (``models.separator``), another weighs each voice against each
    face's lips (``models.lipvoice``), and the best sequence of assignments over all windows (Viterbi
    1967) keeps every face on its voice. Built after Ephrat et al., "Looking to Listen at the Cocktail
    MixtureConfig" (2018).

    Args:
        source: a video file.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        device: where networks run: auto, cpu, cuda or mps.
        face: whose voice, counted from 1; None is every face's.
        voices: how many people speak at once at most, 2 or 3; None finds out, window by window.
        weights: a separator of the user's own.
        blind: the separator does not see the lips; they only tell whose voice is whose.

    Returns:
        A Result with voices, rest, speaking, source, portraits, parts.
        Voices by face and the rest, at the source's rate and channels; they sum to the source.
            voices: the asked faces; rest: all that is none of theirs.
            speaking: by face, [start, end] in seconds where a voice was given to it.
            source: what was separated; portraits: by face, uint8 RGB [height, width, 3].
            parts: the blocks of all voices side by side, by face, with 0 for the rest: one pass over
                the sound for all of them.

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def sounds(
    source: str | PathLike[str] | Array,
    /,
    *,
    rate: int | None = None,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    device: str = "auto",
    kinds: str = "",
    threshold: float = 0.4,
    top: int = 12,
    weights: str | None = None,
) -> SoundsResult:
    """Which sounds are heard when.

    Args:
        source: a file; or samples [time] or [channels, time], float or int16.
        rate: of samples, in Hz; a file knows its own.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        device: where networks run: auto, cpu, cuda or mps.
        kinds: only these kinds or groups, with commas between; empty is all but "surroundings".
        threshold: probability from which on a sound is told, 0 to 1.
        top: how many kinds are told at most, those that are heard most.
        weights: kinds of a user's own, as ``avtool sounds --teach`` wrote them.

    Returns:
        A Result with sounds.
        The sounds.

    Raises:
        AvtoolError: a source or an option cannot be used.
    """

def speech2face(
    source: str | PathLike[str] | Array,
    /,
    *,
    rate: int | None = None,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    device: str = "auto",
    samples: int = 8,
    size: int = 512,
    seed: int = 0,
    mean: bool = False,
    weights: str | None = None,
) -> Speech2faceResult:
    """A plausible face for a voice.

    After Oh et al., "Speech2Face: learning the face behind a voice" (2019), with a crowd in place of a
    single answer: the voice is found in the sound, a network says how likely each of some thousand made
    people is to have it (``model``), and the frozen decoder of faces (``face_model``) says
    what the face between them is. It is a face that such a voice may have, never the speaker's.

    Args:
        source: a file; or samples [time] or [channels, time], float or int16.
        rate: of samples, in Hz; a file knows its own.
        start: where to begin, in seconds.
        duration: how much to take, in seconds; None is all.
        channel: one channel, counted from 1; None is what suits the command.
        device: where networks run: auto, cpu, cuda or mps.
        samples: faces on the sheet; size: pixels of the portrait; seed: of the sheet's draw.
        mean: the portrait is the mean of those who may have the voice, not this voice's own draw.
        weights: a voice encoder of the user's own.

    Returns:
        A Result with face, mesh, heard.
        A face for a voice.
            face: its portrait, the plausible range, and what was heard; mesh: the head in 3D.

    Raises:
        AvtoolError: a source or an option cannot be used.
    """
