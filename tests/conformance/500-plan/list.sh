#!/bin/sh
echo list >>effects
echo one
