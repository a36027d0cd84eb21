# Tidegate in a container: one binary, one volume, no root.
#
#   docker build -t tidegate .
#   docker run -p 8080:8080 -v tidegate:/var/lib/tidegate \
#     -e TIDEGATE__AUTH__TOKENS='[{name = "me", token = "a long random text"}]' tidegate
#
# Inside it listens on every address, so it starts only with a token, or when
# TIDEGATE__SERVER__ALLOW_PUBLIC_WITHOUT_AUTH=true says that anybody may upload.

FROM rust:1.95.0-slim-bookworm AS build
# The image has this toolchain; rust-toolchain.toml would fetch clippy and rustfmt besides.
ENV RUSTUP_TOOLCHAIN=1.95.0
# ring compiles some C. Debian keeps no older versions, so that one that is pinned is soon not there.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
# What the image is made of is written down by the same lock file; see docs/supply-chain.md.
RUN cargo install --locked cargo-cyclonedx@0.5.9
WORKDIR /build
COPY . .
RUN cargo build --release --locked --package tidegate --bin tidegate \
 && cargo cyclonedx --format json --target "$(rustc -vV | sed -n 's/^host: //p')" \
      --override-filename sbom.cdx

FROM debian:bookworm-slim
# Certificate authorities, for an application that is asked by HTTPS (auth.forward).
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 tidegate \
 && useradd --system --uid 10001 --gid tidegate --home-dir /var/lib/tidegate --create-home \
      --shell /usr/sbin/nologin tidegate
COPY --from=build /build/target/release/tidegate /usr/local/bin/tidegate
COPY --from=build /build/sbom.cdx.json /usr/share/doc/tidegate/sbom.cdx.json
ENV TIDEGATE__SERVER__LISTEN=0.0.0.0:8080 \
    TIDEGATE__SERVER__DATA_DIR=/var/lib/tidegate
# By number, so that Kubernetes' runAsNonRoot can tell.
USER 10001:10001
VOLUME ["/var/lib/tidegate"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["tidegate", "health"]
ENTRYPOINT ["tidegate"]
CMD ["serve"]
