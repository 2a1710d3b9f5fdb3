FROM rust:1-bookworm AS build
WORKDIR /src
# Static: the final stage has no libc. glibc resolves names from /etc/hosts and DNS without further files.
ENV RUSTFLAGS="-C target-feature=+crt-static" \
    CARGO_PROFILE_RELEASE_STRIP=symbols
# .dockerignore lets in only what the build reads.
COPY . .
# Naming the target keeps the flags away from build scripts and procedural macros, which cannot be static.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target="$(uname -m)-unknown-linux-gnu" \
    && cargo build --release --locked --bin backstay --target "$target" \
    && cp "target/$target/release/backstay" /backstay

FROM scratch
LABEL org.opencontainers.image.title="backstay" \
      org.opencontainers.image.description="Brings a bad rollout back to the last healthy revision, or says why not" \
      org.opencontainers.image.source="https://github.com/backstay/backstay" \
      org.opencontainers.image.licenses="Apache-2.0"
# For trace collectors and other servers outside the cluster; the API server's certificate comes with the pod.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /backstay /backstay
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/backstay"]
CMD ["run"]
