#!/usr/bin/env bash
# Installs what the tests of the desk need on Debian: CUPS' IPP Everywhere printer (ippeveprinter), the DNS-SD daemon and the message
# bus without which it does not start, a font with Chinese characters, and a browser for the page. `make printer-tools` calls it. The
# tests start what they need.
set -euo pipefail

packages=()
command -v ippeveprinter >/dev/null || packages+=(cups-ipp-utils)
command -v avahi-daemon >/dev/null || packages+=(avahi-daemon)
command -v dbus-daemon >/dev/null || packages+=(dbus)
command -v chromium >/dev/null || packages+=(chromium)
[[ -f /usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf ]] || packages+=(fonts-droid-fallback)
if ((${#packages[@]} == 0)); then
  exit 0
fi

as_root=()
((EUID == 0)) || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}"
