#!/bin/sh
echo "undone by the copy of the start" >>"$EFFECTS"
