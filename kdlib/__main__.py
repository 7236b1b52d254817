from kdlib.cli import main

main()
