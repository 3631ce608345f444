# syntax=docker/dockerfile:1
# docker build -t tvo .                                    CPU
# docker build -t tvo:cuda --build-arg WHEELS=cu130 .      CUDA 13.0: torch brings its libraries, the host brings the driver
FROM python:3.12-slim-trixie

ARG WHEELS=cpu
ARG EXTRAS=lora,smollm2,tensorboard

ENV PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/work/hub

WORKDIR /opt/tvo
COPY requirements/lock.txt requirements/lock.txt
# torch first and from its own index: the layer that is large and changes least
RUN grep -E '^torch==' requirements/lock.txt > /tmp/torch.txt \
    && pip install --index-url "https://download.pytorch.org/whl/${WHEELS}" --requirement /tmp/torch.txt

COPY pyproject.toml README.md LICENSE ./
COPY tvo_cli tvo_cli
COPY hydra_plugins hydra_plugins
COPY conf conf
COPY website/package_readme.py website/package_readme.py
RUN pip install --constraint requirements/lock.txt ".[${EXTRAS}]" \
    && useradd --create-home --uid 1000 tvo \
    && install -d -o tvo -g tvo /work/outputs

USER 1000
WORKDIR /work
ENTRYPOINT ["tvo"]
CMD ["--help"]
