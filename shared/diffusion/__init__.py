"""Real models: what the image worker and the video worker share behind BACKEND=diffusers.

    settings    what the operator asks for                        no torch
    families    the rules of each model family, as data           no torch, no files
    folder      what lies in a model's folder, and may it load    no torch
    download    `make models`                                     no torch
    loading     from a folder to a pipeline
    memory      where the weights are, and how much room is left
    packages    what must be installed                            no torch
    start       the first start, in the order in which it can fail  no torch until all else is right
    wording     what is said to a model                           no torch
    model       a loaded pipeline: one job after the other, whatever happens
    run         one run that can be stopped
    failures    what an error means
    prompts     text to embeddings, once each
    previews    what it will look like
    frames      from a tensor to a file

docs/models.md tells the operator's side.
"""
