#!/bin/sh
echo "note $TARGET" >>effects
