#!/usr/bin/env bash
# Makes the media files of the demo, all of them synthetic.
#
#   cd examples/demo-s3/assets && ./generate.sh
#
# Needs ffmpeg with libvpx-vp9, libmp3lame and libwebp, and the DejaVu fonts. The results are checked in, so
# that nobody needs to run this in order to run the demo.
set -euo pipefail
cd "$(dirname "$0")"

ff() { ffmpeg -hide_banner -loglevel error -nostdin -y -bitexact "$@"; }

mkdir -p images media

# Two pictures: a smooth one (WebP) and a sharp-edged one (PNG).
ff -f lavfi -i "gradients=size=480x320:duration=1:rate=1:seed=7:nb_colors=5:c0=0x0b3954:c1=0x087e8b:c2=0xbfd7ea:c3=0xff5a5f:c4=0xc81d25" \
   -frames:v 1 -c:v libwebp -quality 80 images/dawn.webp
ff -f lavfi -i "mandelbrot=size=480x320:maxiter=400:start_x=-0.743643887:start_y=-0.131825904:start_scale=0.02:end_scale=0.02:outer=normalized_iteration_count,trim=end_frame=1,split[a][b];[a]palettegen=max_colors=48[p];[b][p]paletteuse=dither=none" \
   -frames:v 1 images/spiral.png

# A film of 60 seconds that shows its own clock, so that a jump in the player proves a range request. The
# index (cues) stands before the pictures: a player finds every second without reading the end first.
ff -f lavfi -i "testsrc=size=256x144:rate=10:duration=60" \
   -vf "drawtext=fontfile=/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf:text='%{pts\:hms}':fontsize=22:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=6:x=(w-text_w)/2:y=h-text_h-12" \
   -c:v libvpx-vp9 -b:v 60k -crf 40 -g 30 -row-mt 0 -threads 1 -deadline good -cpu-used 3 -pix_fmt yuv420p \
   -cues_to_front 1 media/clock.webm

# Forty seconds of a slow arpeggio.
ff -f lavfi -i "aevalsrc='0.25*exp(-3*mod(t,0.5))*sin(2*PI*t*220*pow(2,(mod(floor(t*2),4)*4-mod(floor(t/4),3)*2)/12))':s=22050:d=40" \
   -c:a libmp3lame -b:a 32k -ac 1 -write_xing 0 media/arpeggio.mp3

ls -l images media
