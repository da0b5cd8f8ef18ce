# The command `pavane` and nothing else, run by a user without rights.

FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements/run.lock requirements/run.lock
RUN python -m venv /opt/pavane && /opt/pavane/bin/pip install --no-cache-dir -r requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY language language
COPY broker broker
COPY effects effects
COPY actors actors
COPY src src
RUN /opt/pavane/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --create-home pavane
COPY --from=build /opt/pavane /opt/pavane
COPY tests/data/guide /protocols
ENV PATH="/opt/pavane/bin:$PATH" PYTHONUNBUFFERED=1
USER pavane
WORKDIR /home/pavane
ENTRYPOINT ["pavane"]
CMD ["--help"]
