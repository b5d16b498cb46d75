"""The live controls as values: what each is called, how far it goes, what a change of it says."""

from __future__ import annotations

from dataclasses import dataclass

from motet.protocol.knobs import KnobsChange, SettingsChange, SettingsEcho

__all__ = ["DIALS", "Dial"]


@dataclass(frozen=True)
class Dial:
    """One setting. field: its name; is_sampling: one of the sampler's, else of the session's.

    off: the value that turns it off, and what is shown then.
    """

    title: str
    field: str
    is_sampling: bool
    low: float
    high: float
    step: float
    digits: int
    off: tuple[float, str] | None = None

    def value(self, settings: SettingsEcho) -> float:
        """What is in force."""
        source = settings.sampling if self.is_sampling else settings
        return float(getattr(source, self.field))

    def shown(self, settings: SettingsEcho) -> str:
        """What is in force, as it is shown."""
        value = self.value(settings)
        if self.off is not None and value == self.off[0]:
            return self.off[1]
        return f"{value:.{self.digits}f}"

    def share(self, settings: SettingsEcho) -> float:
        """Where the value stands between the ends, 0 to 1."""
        share = (self.value(settings) - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)

    def turned(self, settings: SettingsEcho, steps: int) -> SettingsChange | None:
        """The change that turns it by steps; None at its end."""
        now = self.value(settings)
        value = round(min(max(now + steps * self.step, self.low), self.high), self.digits)
        return None if value == now else self.set_to(value)

    def set_to(self, value: float) -> SettingsChange:
        """The change that sets it; the server refuses what it can't have."""
        typed = int(value) if self.digits == 0 and self.is_sampling else float(value)
        if self.is_sampling:
            return SettingsChange(sampling=KnobsChange.model_validate({self.field: typed}))
        return SettingsChange.model_validate({self.field: typed})


DIALS = (
    Dial("temperature", "temperature", True, 0.0, 2.0, 0.1, 2, (0.0, "greedy")),
    Dial("silence, output", "silence_penalty_output", False, -5.0, 10.0, 0.5, 1, (0.0, "off")),
    Dial("silence, thoughts", "silence_penalty_thought", False, -5.0, 10.0, 0.5, 1, (0.0, "off")),
    Dial("pace, rows/s", "pace", False, 0.0, 100.0, 5.0, 0, (0.0, "as it goes")),
    Dial("top-p", "top_p", True, 0.05, 1.0, 0.05, 2, (1.0, "off")),
    Dial("top-k", "top_k", True, 0, 100, 5, 0, (0.0, "off")),
    Dial("min-p", "min_p", True, 0.0, 1.0, 0.05, 2, (0.0, "off")),
    Dial("repetition", "repetition_penalty", True, 0.5, 2.0, 0.05, 2, (1.0, "off")),
)
"""In the order in which they are shown. Silence: taken off the logit of silence."""
