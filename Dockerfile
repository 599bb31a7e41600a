# dff in a container: `docker run --rm -v "$PWD:/work" dff segment in.mp4 -o out.mp4`
FROM python:3.12-slim AS build
ARG TORCH_BACKEND=cpu
RUN pip install --no-cache-dir uv
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY weights weights
RUN uv venv /opt/dff && \
    uv pip install --python /opt/dff/bin/python --torch-backend "$TORCH_BACKEND" --no-cache .

FROM python:3.12-slim
COPY --from=build /opt/dff /opt/dff
RUN useradd --create-home --uid 1000 annotator
USER annotator
WORKDIR /work
ENV PATH=/opt/dff/bin:$PATH
ENTRYPOINT ["dff"]
CMD ["--help"]
