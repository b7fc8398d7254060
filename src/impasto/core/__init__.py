"""What every package uses: progress, devices, memory, interrupts."""
