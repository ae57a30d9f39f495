# Nix expression. The executable starts through the loader of nixpkgs' glibc: patchelf and strip would damage it.
{ lib, stdenv, fetchurl, glibc }:

let
  sources = {
    x86_64-linux = {
      url = "${URL}/quantus-miner-${VERSION}-linux-x64.tar.xz";
      sha256 = "${SHA256_LINUX_X64}";
      loader = "ld-linux-x86-64.so.2";
    };
    aarch64-linux = {
      url = "${URL}/quantus-miner-${VERSION}-linux-arm64.tar.xz";
      sha256 = "${SHA256_LINUX_ARM64}";
      loader = "ld-linux-aarch64.so.1";
    };
  };
  system = stdenv.hostPlatform.system;
  source = builtins.getAttr system sources;
in
stdenv.mkDerivation {
  pname = "quantus-miner";
  version = "${VERSION}";
  src = fetchurl { inherit (source) url sha256; };
  dontStrip = true;
  dontPatchELF = true;
  dontFixup = true;
  installPhase = ''
    install -Dm755 quantus-miner $out/libexec/quantus-miner
    mkdir -p $out/bin
    printf '#!%s\nexec %s %s "$@"\n' '' + stdenv.shell + " " + glibc + "/lib/" + source.loader + '' $out/libexec/quantus-miner > $out/bin/quantus-miner
    chmod +x $out/bin/quantus-miner
  '';
  meta = {
    description = "Miner for Quantus (QTC)";
    homepage = "https://www.quantus.com";
    license = lib.licenses.mit;
    platforms = builtins.attrNames sources;
    mainProgram = "quantus-miner";
  };
}
