# Homebrew formula.
class QuantusMiner < Formula
  desc "Miner for Quantus (QTC)"
  homepage "https://www.quantus.com"
  version "${VERSION}"
  license "MIT"

  on_macos do
    on_arm do
      url "${URL}/quantus-miner-${VERSION}-darwin-arm64.tar.xz"
      sha256 "${SHA256_DARWIN_ARM64}"
    end
    on_intel do
      url "${URL}/quantus-miner-${VERSION}-darwin-x64.tar.xz"
      sha256 "${SHA256_DARWIN_X64}"
    end
  end

  on_linux do
    on_arm do
      url "${URL}/quantus-miner-${VERSION}-linux-arm64.tar.xz"
      sha256 "${SHA256_LINUX_ARM64}"
    end
    on_intel do
      url "${URL}/quantus-miner-${VERSION}-linux-x64.tar.xz"
      sha256 "${SHA256_LINUX_X64}"
    end
  end

  # strip and a new signature would damage the executable.
  skip_clean "bin"

  def install
    bin.install "quantus-miner"
    generate_completions_from_executable(bin/"quantus-miner", "completions")
  end

  test do
    assert_equal "quantus-miner #{version}", shell_output("#{bin}/quantus-miner --version").strip
  end
end
