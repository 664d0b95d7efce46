# syntax=docker/dockerfile:1
# CPU:  docker build -t nph-jax .
# CUDA: docker build -t nph-jax:cuda --build-arg EXTRAS=video,serve,cuda .
#       (run it with --gpus all; CUDA comes from PyPI, the driver from the host)
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

ARG EXTRAS=video,serve
WORKDIR /src
COPY . .
# The locked versions, as `make` installs them. requirements.txt first would
# only cache what a change of setup.cfg invalidates as well.
RUN pip install --no-cache-dir -c constraints.txt ".[${EXTRAS}]"

# Compiled programs are kept here; mount a volume to keep them longer.
ENV XDG_CACHE_HOME=/cache
RUN mkdir -m 777 /cache
WORKDIR /library
USER 1000
ENTRYPOINT ["nph-jax"]
CMD ["--help"]
