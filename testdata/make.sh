#!/usr/bin/env bash
# Makes every clip of this folder again. Needs the tools that ./test installs:
# FFmpeg 9 from the Python package imageio-ffmpeg and Debian's fonts-dejavu-core.
# Results are equal byte for byte with the same FFmpeg build (see README.md).
set -euo pipefail
cd "$(dirname "$0")"
ff=${FFMPEG9:-$(../.tools/py/bin/python -c 'import imageio_ffmpeg as i; print(i.get_ffmpeg_exe())')}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
run() { "$ff" -nostdin -hide_banner -loglevel error -y "$@"; }
exact=(-fflags +bitexact -flags:v +bitexact -flags:a +bitexact -map_metadata -1)

# ---- demo.flv: 8 s, 240 pictures and 375 AAC frames: both end at 8000 ms exactly ----
demo() {
    mono=/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf
    { cat demo.ass; python3 demo_ass.py; } > "$tmp/demo.ass"
    # Bars scroll by a whole picture width in 8 s; fixed grain keeps the bit rate honest.
    graph="color=c=0x101a26:s=1280x720:r=30:d=8[bg];
        smptehdbars=s=1280x180:r=30:d=8,noise=all_seed=7:alls=10:allf=p,scroll=h=$(python3 -c 'print(1/240)')[bars];
        gradients=s=1280x8:r=30:d=8:c0=0xff6b5b:c1=0x3ac4c8:n=2:x0=0:x1=1280:y0=0:y1=0:seed=1:speed=0.00001[rule];
        [bg][bars]overlay=0:540[a];[a][rule]overlay=0:532[b];
        [b]ass=$tmp/demo.ass:fontsdir=/usr/share/fonts/truetype/dejavu[c];
        [c]drawtext=fontfile=$mono:timecode='00\:00\:00\:00':r=30:fontsize=96:fontcolor=0xe6eff7:x=540:y=270,format=yuv420p"
    for pass in 1 2; do
        run -filter_complex "$graph" -c:v libx264 -profile:v high -preset veryslow -tune animation \
            -b:v 1950k -maxrate 2600k -bufsize 2600k -g 60 -keyint_min 60 -sc_threshold 0 -bf 3 -threads 1 \
            -x264-params "open-gop=0:b-adapt=2:rc-lookahead=60" -colorspace bt709 -color_primaries bt709 -color_trc bt709 \
            -pass $pass -passlogfile "$tmp/x" "${exact[@]}" "$tmp/v.mp4"
    done
    # Three turns of the beep are encoded and the middle one is kept, so that the loop has no
    # encoder start in it. It is cut 3 frames early: the pictures' DTS start 2 pictures before PTS 0.
    beep="0.35*sin(2*PI*(1000+500*lt(mod(t,8),1))*t)*lt(mod(t,1),0.1)*min(1,mod(t,1)/0.004)*min(1,(0.1-mod(t,1))/0.01)"
    hum="0.012*sin(2*PI*110*t)*(0.6+0.4*sin(2*PI*t/4))+0.008*sin(2*PI*165*t)"
    run -f lavfi -i "aevalsrc=exprs='$beep+$hum|$beep+$hum':s=48000:d=24" -c:a aac -b:a 96k "${exact[@]}" "$tmp/a.mp4"
    first=$((384000 - 3 * 1024))
    run -i "$tmp/v.mp4" -i "$tmp/a.mp4" -map 0:v -map 1:a -c copy "${exact[@]}" \
        -bsf:a "noise=drop=lt(pts\,$first)+gte(pts\,$((first + 384000))),setts=pts=PTS-384000:dts=DTS-384000" \
        -flvflags no_duration_filesize -f flv demo.flv
}

# ---- small clips of the tests: every picture and every audio frame differs from the others ----
sound() { # rate seconds channels
    # a chirp: no two frames encode to the same bytes, so that a reader's place in the source is certain
    local e="0.3*sin(2*PI*(200+90*t)*t)+0.1*sin(2*PI*(900+37*t)*t)"
    case $3 in
        1) echo "aevalsrc=exprs=$e:s=$1:d=$2" ;;
        2) echo "aevalsrc=exprs=$e|0.8*($e):s=$1:d=$2" ;;
        6) echo "aevalsrc=exprs=$e|0.8*($e)|0.7*($e)|0.1*($e)|0.6*($e)|0.5*($e):c=5.1:s=$1:d=$2" ;;
    esac
}
clip() { # name seconds rate-of-pictures size audio-rate channels codec options...
    local name=$1 s=$2 fps=$3 size=$4 ar=$5 ch=$6
    shift 6
    local inputs=()
    [ "$size" = - ] || inputs+=(-f lavfi -i "testsrc2=s=$size:r=$fps:d=$s")
    [ "$ar" = - ] || inputs+=(-f lavfi -i "$(sound "$ar" "$s" "$ch")")
    run "${inputs[@]}" -pix_fmt yuv420p -threads 1 "$@" "${exact[@]}" -f flv "$name"
}
x264=(-c:v libx264 -preset medium -profile:v high -bf 3 -sc_threshold 0 -x264-params "open-gop=0")
small=(-c:v libx264 -preset medium -profile:v high -bf 2 -g 15 -sc_threshold 0 -b:v 120k)
aac=(-c:a aac -b:a 48k)
clips() {
    clip bframes.flv 6 25 320x180 48000 2 "${x264[@]}" -g 25 -b:v 330k -maxrate 400k -bufsize 400k -c:a aac -b:a 64k
    clip video-only.flv 4 15 160x90 - - "${small[@]}"
    clip audio-only.flv 4 - - 44100 2 "${aac[@]}"
    clip h264-mp3.flv 4 15 160x90 44100 2 "${small[@]}" -c:a libmp3lame -b:a 64k
    clip hevc-aac.flv 4 15 160x90 48000 2 -c:v libx265 -preset medium -x265-params "log-level=error:keyint=15:min-keyint=15:scenecut=0:open-gop=0:bframes=3:pools=none:frame-threads=1" -b:v 120k "${aac[@]}"
    clip av1-aac.flv 4 15 160x90 48000 2 -c:v libaom-av1 -cpu-used 6 -g 15 -b:v 120k "${aac[@]}"
    clip vp9-opus.flv 4 15 160x90 48000 2 -c:v libvpx-vp9 -g 15 -b:v 120k -c:a libopus -b:a 48k
    clip h264-opus.flv 4 15 160x90 48000 2 "${small[@]}" -c:a libopus -b:a 48k
    clip h264-flac.flv 3 15 160x90 16000 1 "${small[@]}" -c:a flac -sample_fmt s16
    clip h264-ac3.flv 4 15 160x90 48000 2 "${small[@]}" -c:a ac3 -b:a 96k
    clip h264-eac3.flv 4 15 160x90 48000 6 "${small[@]}" -c:a eac3 -b:a 128k
}

case ${1:-all} in
    demo) demo ;;
    clips) clips ;;
    all) demo; clips ;;
    *) echo "usage: $0 [demo|clips]" >&2; exit 2 ;;
esac
sha256sum ./*.flv
