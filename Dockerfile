# patrolvision on a CPU: docker build -t patrolvision . && docker run --rm -v "$PWD:/data" patrolvision run /data/clip.mp4 --out /data/out
FROM python:3.12-slim

WORKDIR /opt/patrolvision
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir -c constraints.txt '.[postgres]'
COPY models ./models
COPY sample_media ./sample_media

ENV PATROLVISION_MODELS=/opt/patrolvision/models \
    PATROLVISION_SAMPLES=/opt/patrolvision/sample_media \
    PYTHONUNBUFFERED=1
RUN useradd --create-home patrol && mkdir /data && chown patrol /data
USER patrol
WORKDIR /data
EXPOSE 8000
ENTRYPOINT ["patrolvision"]
CMD ["--help"]
