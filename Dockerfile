# One file for every service:  docker build --build-arg SERVICE=coordinator .
# SERVICE is a folder of services/; EXTRAS=diffusers adds torch, which nothing else brings.
ARG SERVICE=coordinator

FROM node:22-slim AS page
ARG SERVICE
WORKDIR /page
COPY frontend/package.json frontend/package-lock.json ./
# Only the coordinator serves the page. See scripts/setup for why this is not `npm ci`.
RUN if [ "$SERVICE" = coordinator ]; then npm install --no-save --no-audit --no-fund; fi
COPY frontend ./
RUN if [ "$SERVICE" = coordinator ]; then npm run --silent build; else mkdir dist; fi

FROM python:3.13-slim
WORKDIR /app
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Files that a volume is laid over give it their owner.
RUN useradd --system --uid 10001 --home-dir /tmp studio && install -d -o studio /data/artifacts /models
COPY pyproject.toml requirements.lock ./
# From the slowest to change to the quickest: what all services need, what this one needs, the code.
RUN touch README.md && pip install --constraint requirements.lock .
ARG SERVICE
ARG EXTRAS=
# Pillow joins Arabic letters with FriBidi.
RUN if [ "$SERVICE" = image_worker ]; then \
        apt-get update && apt-get install -y --no-install-recommends libfribidi0 && rm -rf /var/lib/apt/lists/*; fi
RUN pip install --constraint requirements.lock ".[$SERVICE${EXTRAS:+,$EXTRAS}]"
COPY shared shared
COPY services/__init__.py services/
COPY services/$SERVICE services/$SERVICE
COPY --from=page /page/dist frontend/dist
# The root file system may be read-only, so this is the last chance to compile.
RUN python -m compileall -q shared services

# Beyond loopback nothing answers without API_TOKEN, so these start nothing that is open.
ENV SERVICE=$SERVICE ARTIFACTS_URL=/data/artifacts HOME=/tmp \
    COORDINATOR_HOST=0.0.0.0 COORDINATOR_PORT=8700 NOTIFIER_HOST=0.0.0.0 NOTIFIER_PORT=8701 \
    IMAGE_WORKER_HOST=0.0.0.0 IMAGE_WORKER_PORT=8702 VIDEO_WORKER_HOST=0.0.0.0 VIDEO_WORKER_PORT=8703
USER studio
# Often, since what is started after this one waits for it; nothing is imported that could make it slow.
HEALTHCHECK --interval=3s --timeout=5s --start-period=60s --retries=5 CMD ["python", "-ISc", "\
import os, sys, http.client as http\n\
door = http.HTTPConnection('127.0.0.1', int(os.environ[os.environ['SERVICE'].upper() + '_PORT']), timeout=4)\n\
door.request('GET', '/readyz')\n\
sys.exit(door.getresponse().status != 200)"]
# `exec`: the service itself is process 1 and hears SIGTERM.
ENTRYPOINT ["/bin/sh", "-c", "exec python -m services.$SERVICE"]
