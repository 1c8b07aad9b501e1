"""What is said to a model: the scene, in the style of its project."""


def compose(prompt: str, style: str) -> str:
    """The prompt of a job: what to draw, then how."""
    prompt, style = prompt.strip(), style.strip()
    if not style or not prompt:
        return prompt or style
    return f"{prompt} {style}" if prompt[-1] in ".!?;:," else f"{prompt}, {style}"
